#include "apps/demo.h"

#include "apps/city_places.h"
#include "base/check.h"
#include "base/err.h"
#include "client/city.h"
#include "services/auth/admin.h"
#include "services/driver/driver_service.h"

#include <pthread.h>
#include <stdlib.h>

#define DEMO_PASSWORD "demo-city-2026"
#define DEMO_TAG "demo"
#define FILL_BYTES 16
#define FILL_TEXT_MAX (2 * FILL_BYTES + 1)

struct demo {
    struct city *city;
    struct city_places places;
    struct city_summary summary;
    pthread_t thread;
    char url[PLATFORM_URL_MAX];
    char tag[FILL_TEXT_MAX], password[FILL_TEXT_MAX]; /* its people's */
    int result;
    bool running;
};

static const struct demo_person {
    enum role role;
    const char *email, *name;
} demo_people[] = {
    {ROLE_ADMIN, "admin@demo.example", "Ada Admin"},
    {ROLE_DISPATCHER, "dispatcher@demo.example", "Disa Dispatcher"},
    {ROLE_CUSTOMER, "customer@demo.example", "Kim Customer"},
    {ROLE_DRIVER, "driver@demo.example", "Ola Driver"},
};
#define DEMO_CUSTOMER 2 /* whose history the city makes */

/* The accounts that a visitor signs in with; they are kept over restarts. */
static int make_people(struct platform *p) {
    struct store *store;
    struct stores stores;
    struct arena a;
    struct str why = STR("no memory");
    arena_init(&a, 4096);
    int err = platform_open_store(p->config, &a, &stores, &store, &why);
    if (err == 0) {
        struct auth_admin *admin = auth_admin_new(&(struct auth_admin_options){
            .store = store, .entropy = &p->entropy, .clock = &p->clock});
        for (size_t i = 0; err == 0 && i < COUNT_OF(demo_people); i++) {
            struct str id;
            err = auth_admin_add(admin,
                                 &(struct auth_admin_user){.email = str_from(demo_people[i].email),
                                                           .name = str_from(demo_people[i].name),
                                                           .password = STR(DEMO_PASSWORD),
                                                           .role = demo_people[i].role},
                                 &a, &id, &why);
            if (err == ERR_DUPLICATE)
                err = 0;
        }
        auth_admin_free(admin);
        store->ops->close(store);
        stores_close(&stores);
    }
    if (err < 0)
        fprintf(stderr, "lorry: the demo's accounts cannot be made: %.*s\n", STR_ARG(why));
    arena_free(&a);
    return err;
}

static void print_logins(void) {
    printf("\nDemo logins, all with the password %s\n", DEMO_PASSWORD);
    for (size_t i = 0; i < COUNT_OF(demo_people); i++)
        printf("  %-11s %s\n", role_names[demo_people[i].role], demo_people[i].email);
}

static void *demo_thread(void *arg) {
    struct demo *d = arg;
    d->result = city_run(d->city, &d->summary);
    return NULL;
}

static void print_city(const struct platform *p, const struct demo *d) {
    printf("\nThe city: %ld drivers and %ld bookings an hour, %ld times as fast as life "
           "(--demo-speed 1 is life).\n",
           (long)config_int(p->config, "demo_drivers"),
           (long)config_int(p->config, "demo_bookings_per_hour"),
           (long)config_int(p->config, "demo_speed"));
    if (d->places.streets == NULL) {
        printf("  No streets: everyone goes as the crow flies.\n\n");
        return;
    }
    struct streets_info info;
    streets_info(p->streets, &info);
    printf("  %.0f km of streets. %s\n\n", (double)info.length_m / 1000, info.attribution);
}

/* GUEST: whose account some of its customers use, so that it has a history; NULL: nobody's. */
static struct demo *open_city(struct platform *p, const char *tag, const char *password,
                              const struct demo_person *guest) {
    struct demo *d = xcalloc(1, sizeof(*d));
    platform_url(p, d->url);
    d->places = (struct city_places){p->streets, point_of(CITY_CENTRE_LAT, CITY_CENTRE_LNG),
                                     .radius_m = 4000};
    uint64_t seed;
    p->entropy.fill(&p->entropy, &seed, sizeof(seed));
    snprintf(d->tag, sizeof(d->tag), "%s", tag);
    snprintf(d->password, sizeof(d->password), "%s", password);
    const char *why = "";
    d->city =
        city_new(&(struct city_options){.url = d->url,
                                        .drivers = (int32_t)config_int(p->config, "demo_drivers"),
                                        .bookings_per_hour =
                                            (double)config_int(p->config, "demo_bookings_per_hour"),
                                        .speed = (double)config_int(p->config, "demo_speed"),
                                        .seed = seed,
                                        .tag = d->tag,
                                        .password = d->password,
                                        .guest_email = guest != NULL ? guest->email : NULL,
                                        .guest_name = guest != NULL ? guest->name : NULL,
                                        .router = p->router,
                                        .place = city_place,
                                        .place_arg = &d->places,
                                        .output = CITY_LINES,
                                        .out = stdout,
                                        .settle_us = 2000000},
                 &why);
    if (d->city == NULL) {
        fprintf(stderr, "lorry: the demo cannot start: %s\n", why);
        free(d);
        return NULL;
    }
    return d;
}

int demo_start(struct platform *p, struct demo **ret_demo) {
    if (make_people(p) < 0)
        return 1;
    struct demo *d = open_city(p, DEMO_TAG, DEMO_PASSWORD, &demo_people[DEMO_CUSTOMER]);
    if (d == NULL)
        return 1;
    print_logins();
    print_city(p, d);
    *ret_demo = d;
    return 0;
}

int demo_fill(struct platform *p, struct demo **ret_demo) {
    unsigned char bytes[FILL_BYTES];
    char tag[FILL_TEXT_MAX], password[FILL_TEXT_MAX];
    p->entropy.fill(&p->entropy, bytes, sizeof(bytes));
    /* Of its own each time: nobody knows the password of the one before. */
    snprintf(tag, sizeof(tag), "city%02x%02x%02x", bytes[0], bytes[1], bytes[2]);
    for (size_t i = 0; i < FILL_BYTES; i++)
        snprintf(password + 2 * i, 3, "%02x", bytes[i]);
    driver_service_approve_all(p->driver);
    struct demo *d = open_city(p, tag, password, NULL);
    if (d == NULL)
        return 1;
    print_city(p, d);
    *ret_demo = d;
    return 0;
}

void demo_go(struct demo *d) {
    if (d == NULL)
        return;
    printf("\n");
    d->running = pthread_create(&d->thread, NULL, demo_thread, d) == 0;
    if (!d->running)
        fprintf(stderr, "lorry: the city's thread could not be had\n");
}

int demo_stop(struct demo *d) {
    if (d == NULL)
        return 0;
    city_stop(d->city);
    city_stop(d->city); /* bookings that are on their way go on after the next start */
    if (d->running)
        pthread_join(d->thread, NULL);
    int status = d->result == 0 && d->summary.violations == 0 ? 0 : 1;
    if (d->running && d->result == 0)
        city_print_summary(&d->summary, false, stdout);
    city_free(d->city);
    free(d);
    return status;
}
