#include "adapters/amqp/dead_letters.h"
#include "base/module_build.h"

extern const struct amqp_module lorry_module;
const struct amqp_module lorry_module = {
    .module.build = MODULE_BUILD,
    .bus_new = amqp_bus_new,
    .bus_stats = amqp_bus_stats,
    .dead_letters_walk = dead_letters_walk,
};
