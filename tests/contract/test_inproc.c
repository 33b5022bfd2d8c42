#include "contract.h"

#include "adapters/inproc/inproc_bus.h"

int main(void) {
    const struct bus_factory f = {"inproc bus", inproc_bus_new, INPROC_IN_FLIGHT_MAX};
    return bus_contract(&f);
}
