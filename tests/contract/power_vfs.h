/* A SQLite VFS under which the power can fail: it passes everything on to the real one and
 * remembers what each file was before the writes that have not been synced yet. At the cut each of
 * those is lost, kept or torn, by chance, as a disk with a cache does it; then the process ends.
 * One per process; any thread.
 */
#ifndef LORRY_TESTS_POWER_VFS_H
#define LORRY_TESTS_POWER_VFS_H

#include <stdint.h>

/* Installs it as the default. The power fails at the OPS-th write or sync from now on; the process
 * then exits with 0. SEED decides what survives. OPS 0: it holds. */
void power_vfs_install(int64_t ops, uint64_t seed);
/* Instead of the cut: syncs fail from the OPS-th operation on, until power_vfs_repair. */
void power_vfs_fail_syncs(int64_t ops);
void power_vfs_repair(void);

#endif
