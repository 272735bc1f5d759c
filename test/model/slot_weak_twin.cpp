/* slot_weak_twin.cpp - loads that only acquire and swaps that only acquire and release: two
 * inserters may then each miss the other's claim, and relacy must find it. So sequential
 * consistency is needed, not just convenient. */

#define WEIR_MODEL_WEAK
#define WEIR_MODEL_REFUTED
#include "slot_model.cpp"
