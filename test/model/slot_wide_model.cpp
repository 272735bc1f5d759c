/* slot_wide_model.cpp - the scenarios of slot_model.cpp in a set of three slots. */

#define WEIR_SET_SLOTS 3
#define MODEL_BOUND 2
#include "slot_model.cpp"
