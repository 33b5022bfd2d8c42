#include "adapters/otlp/otlp.h"
#include "base/module_build.h"

extern const struct otlp_module lorry_module;
const struct otlp_module lorry_module = {
    .module.build = MODULE_BUILD,
    .open = otlp_open,
    .close = otlp_close,
};
