/* A real RabbitMQ for a test: of this machine only (127.0.0.1, free ports), its state in a
 * temporary folder, and gone with the test. A failed start ends the test with the server's last
 * words.
 */
#ifndef LORRY_TESTS_BROKER_H
#define LORRY_TESTS_BROKER_H

#include <signal.h>
#include <stdbool.h>

struct broker;

bool broker_is_installed(void);
struct broker *broker_new(void);    /* started and ready */
void broker_free(struct broker *b); /* also its state; NULL ok */
int broker_port(const struct broker *b);
int broker_tls_port(const struct broker *b);            /* as "localhost", by … */
const char *broker_certificate(const struct broker *b); /* … this, which vouches for itself */
void broker_kill(struct broker *b);                     /* SIGKILL: as when the machine fails */
void broker_stop(struct broker *b);                     /* as an operator does */
void broker_start(struct broker *b);                    /* again, on the same state and port */
void broker_pause(struct broker *b, bool on);           /* SIGSTOP, SIGCONT */
/* rabbitmqctl with these words, up to a NULL. Returns its exit status. */
int broker_ctl(struct broker *b, const char *const *words);
#define BROKER_CTL(b, ...) broker_ctl((b), (const char *const[]){__VA_ARGS__, NULL})
int free_port(void); /* a TCP port of 127.0.0.1 that nobody listens on */

#endif
