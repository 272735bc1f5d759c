/* rig_clock.h - what the rig and the library that it loads into servers, rig_clock.c, agree on. */

#ifndef WEIR_TEST_SUPPORT_RIG_CLOCK_H
#define WEIR_TEST_SUPPORT_RIG_CLOCK_H

/* Names the file of the offset. */
#define RIG_CLOCK_VARIABLE "RIG_CLOCK"

#endif
