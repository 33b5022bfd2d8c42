/* What Redis itself does, as it alone sees all replicas in one order. A key is a hash: `v` its
 * value, `l` the life it is in (16 hex digits that sort by the time they began); one without `v`
 * has been dropped, and stays for a moment so that nobody brings it back. Every script ends with
 * telling all who listen what the keys are now; a replica believes this alone, its own writes
 * included, because it comes in the order in which Redis did it.
 *
 * A message is a line "1 ORIGIN BATCH KIND" and then for each key a line "LENGTH VALUE LIFE TTL_MS
 * KEY" with "-" for the value of one that was dropped.
 */
#include "adapters/redis/redis_private.h"

/* KEYS: the epoch's, then those written. ARGV: epoch, channel, head, a fresh life, length of the
 * keys' prefix, how long what was dropped stays (ms); then for each key: operation, the life the
 * sender is in, the one he has seen in Redis, what he adds, the whole that he knows, time left
 * (ms). a  add          s  set          d  drop r  after a break: what he knows, and adds       x
 * after a break: drop, if nothing is younger */
const char redis_sync_script[] =
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end\n"
    "local function put(k, v, life, rest)\n"
    "  redis.call('HSET', k, 'v', v, 'l', life)\n"
    "  redis.call('PEXPIRE', k, rest)\n"
    "  return v, life, rest\n"
    "end\n"
    "local function bury(k, life)\n"
    "  redis.call('DEL', k)\n"
    "  redis.call('HSET', k, 'l', life)\n"
    "  redis.call('PEXPIRE', k, ARGV[6])\n"
    "  return false, life, ARGV[6]\n"
    "end\n"
    "local function bump(k, n)\n"
    "  local r = redis.pcall('HINCRBY', k, 'v', n)\n"
    "  if type(r) == 'table' then\n" /* it does not fit: it stays at the end */
    "    redis.call('HSET', k, 'v', n:sub(1, 1) == '-' and '-9223372036854775808'\n"
    "                                            or '9223372036854775807')\n"
    "  elseif r > -1e15 and r < 1e15 then return ('%.0f'):format(r) end\n"
    "  return redis.call('HGET', k, 'v')\n" /* greater ones are not exact as Lua's numbers */
    "end\n"
    "local function look(k)\n"
    "  local r = redis.pcall('HMGET', k, 'v', 'l')\n"
    "  if r.err or (r[2] and not (#r[2] == 16 and r[2]:match('^%x+$'))) or (r[1] and not r[2])\n"
    "     or (r[1] and not r[1]:match('^%-?%d+$')) then\n"
    "    redis.call('DEL', k)\n" /* nobody's here */
    "    return false, false\n"
    "  end\n"
    "  return r[1], r[2]\n"
    "end\n"
    "local out, at, fresh, skip = {ARGV[3]}, 7, ARGV[4], tonumber(ARGV[5]) + 1\n"
    "for i = 2, #KEYS do\n"
    "  local k, op, life, known = KEYS[i], ARGV[at], ARGV[at + 1], ARGV[at + 2]\n"
    "  local n, total, rest = ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]\n"
    "  at = at + 6\n"
    "  local v, l = look(k)\n"
    "  local ttl = nil\n"
    "  if op == 's' then v, l, ttl = put(k, total, life, rest)\n"
    "  elseif op == 'd' then v, l, ttl = bury(k, life)\n"
    "  elseif op == 'x' then if not l or l < life then v, l, ttl = bury(k, life) end\n"
    "  elseif not l then v, l, ttl = put(k, total, life, rest)\n"
    "  elseif op == 'r' then\n"
    "    if v and l == life then\n"
    "      v = bump(k, n)\n"
    "      if tonumber(v) < tonumber(total) then\n"
    "        redis.call('HSET', k, 'v', total)\n"
    "        v = total\n"
    "      end\n"
    "    elseif l < life then v, l, ttl = put(k, total, life, rest)\n"
    "    elseif v and n ~= '0' then v = bump(k, n) end\n"
    "  elseif v and (l == life or l ~= known) then v = bump(k, n)\n"
    "  elseif not v and l > life then v, l, ttl = put(k, n, fresh, rest)\n"
    "  else v, l, ttl = put(k, total, life, rest) end\n"
    "  ttl = ttl or redis.call('PTTL', k)\n"
    "  if ttl == -1 then\n" /* somebody else has taken its end away */
    "    redis.call('PEXPIRE', k, rest)\n"
    "    ttl = rest\n"
    "  end\n"
    "  out[#out + 1] = (#k - skip + 1) .. ' ' .. (v or '-') .. ' ' .. l .. ' ' .. ttl .. ' ' ..\n"
    "                  k:sub(skip) .. '\\n'\n"
    "end\n"
    "redis.call('PUBLISH', ARGV[2], table.concat(out))\n"
    "return 1\n";

/* KEYS: those to tell of. ARGV: channel, head, length of the keys' prefix. */
const char redis_read_script[] =
    "local out, skip = {ARGV[2]}, tonumber(ARGV[3]) + 1\n"
    "for _, k in ipairs(KEYS) do\n"
    "  local r = redis.pcall('HMGET', k, 'v', 'l')\n"
    "  if not r.err and r[2] then\n"
    "    out[#out + 1] = (#k - skip + 1) .. ' ' .. (r[1] or '-') .. ' ' .. r[2] .. ' ' ..\n"
    "                    redis.call('PTTL', k) .. ' ' .. k:sub(skip) .. '\\n'\n"
    "  end\n"
    "end\n"
    "redis.call('PUBLISH', ARGV[1], table.concat(out))\n"
    "return 1\n";
