#include "ports/files.h"

#include <stddef.h>

const char *const file_type_names[] = {NULL, "image/jpeg", "image/png", "application/pdf", NULL};
