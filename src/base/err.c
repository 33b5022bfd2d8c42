#include "base/err.h"

const char *err_text(int code) {
    if (code == 0)
        return "success";
    switch ((enum err)code) {
    case ERR_NOT_FOUND:
        return "not found";
    case ERR_CONFLICT:
        return "changed by somebody else meanwhile";
    case ERR_DUPLICATE:
        return "done already";
    case ERR_BUSY:
        return "busy, try again";
    case ERR_FULL:
        return "no room";
    case ERR_IO:
        return "input/output error";
    case ERR_INVALID:
        return "not valid";
    case ERR_LIMIT:
        return "over the limit";
    case ERR_TIMEOUT:
        return "timed out";
    case ERR_UNKNOWN:
        return "outcome not known";
    case ERR_AGAIN:
        return "not in this batch";
    case ERR_DENIED:
        return "not allowed";
    case ERR_CORRUPT:
        return "stored data is damaged";
    case ERR_UNAVAILABLE:
        return "not available";
    }
    return "unknown error";
}
