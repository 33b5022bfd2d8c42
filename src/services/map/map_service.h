/* The map service: the basemap's tiles, and places by name. It owns nothing: all of it comes from
 * the atlas port. Tiles are for everybody, because a tracking page has no account; searching is for
 * whoever is signed in.
 */
#ifndef LORRY_MAP_SERVICE_H
#define LORRY_MAP_SERVICE_H

#include "ports/atlas.h"
#include "runtime/service.h"

struct map_service;
/* ATLAS may be NULL: there is no map, and every answer says so. It must outlive the service. */
struct map_service *map_service_new(struct atlas *atlas);
struct map_service *map_service_free(struct map_service *s); /* NULL ok; returns NULL */
struct service map_service(struct map_service *s);           /* for runtime_new */

#endif
