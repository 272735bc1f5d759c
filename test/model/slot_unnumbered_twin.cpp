/* slot_unnumbered_twin.cpp - pending slots of one key all look alike: relacy must find that one is
 * settled which was claimed by another. */

#define WEIR_MODEL_UNNUMBERED
#define WEIR_MODEL_REFUTED
#include "slot_model.cpp"
