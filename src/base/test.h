/* For unit tests: cmocka with what it must see included before it. */
#ifndef LORRY_BASE_TEST_H
#define LORRY_BASE_TEST_H

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Fails with both texts in view. */
#define assert_str(got, wanted)                                                                    \
    do {                                                                                           \
        struct str got_str = (got);                                                                \
        const char *wanted_cstr = (wanted);                                                        \
        if (!str_is(got_str, wanted_cstr))                                                         \
            fail_msg("got \"%.*s\", wanted \"%s\"", STR_ARG(got_str), wanted_cstr);                \
    } while (0)

#endif
