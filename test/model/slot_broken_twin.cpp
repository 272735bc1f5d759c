/* slot_broken_twin.cpp - slot.h without the second reading: relacy must find a key that lives
 * twice. */

#define WEIR_MODEL_BROKEN
#define WEIR_MODEL_REFUTED
#include "slot_model.cpp"
