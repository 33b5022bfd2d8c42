/* The subcommands of `lorry`. Each takes its resolved configuration and returns an exit status. */
#ifndef LORRY_APPS_COMMANDS_H
#define LORRY_APPS_COMMANDS_H

#include "apps/config.h"

extern const struct config_table *const simulate_tables[];
extern const struct config_table *const check_tables[];
extern const struct config_table *const bench_tables[];
extern const struct config_table *const health_tables[];
extern const struct config_table *const backup_tables[];
extern const struct config_table *const restore_tables[];
extern const struct config_table *const export_tables[];
extern const struct config_table *const import_tables[];
extern const struct config_table *const user_add_tables[];
extern const struct config_table *const user_list_tables[];
extern const struct config_table *const user_set_role_tables[];
extern const struct config_table *const user_disable_tables[];
extern const struct config_table *const user_reset_factor_tables[];
extern const struct config_table *const keys_list_tables[];
extern const struct config_table *const keys_rotate_tables[];
extern const struct config_table *const verify_tables[];
extern const struct config_table *const map_build_tables[];
extern const struct config_table *const dead_letters_list_tables[];
extern const struct config_table *const dead_letters_show_tables[];
extern const struct config_table *const dead_letters_change_tables[];

int command_serve(struct config *c);
int command_simulate(struct config *c);
int command_check(struct config *c);
int command_bench(struct config *c);
int command_user_add(struct config *c);
int command_user_list(struct config *c);
int command_user_set_role(struct config *c);
int command_user_disable(struct config *c);
int command_user_reset_factor(struct config *c);
int command_keys_list(struct config *c);
int command_keys_rotate(struct config *c);
int command_verify(struct config *c);
int command_map_build(struct config *c);
int command_health(struct config *c);
int command_backup(struct config *c);
int command_restore(struct config *c);
int command_export(struct config *c);
int command_import(struct config *c);
int command_dead_letters_list(struct config *c);
int command_dead_letters_show(struct config *c);
int command_dead_letters_replay(struct config *c);
int command_dead_letters_drop(struct config *c);
int command_config(struct config *c);

#endif
