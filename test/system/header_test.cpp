/* header_test.cpp - the same program, as C++. */

#include "header_test.c"
