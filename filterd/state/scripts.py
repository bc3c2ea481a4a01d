"""What Redis and Valkey run for each operation, in Lua: one script is one atomic step.

Source: https://redis.io/docs/latest/develop/programmability/eval-intro/ (Lua 5.1). Numbers that
come as text go back as that text, since Lua's own text of a time has 14 digits.
"""

from __future__ import annotations

UPSERT = """
local now, lifetime, value, keeps = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1'
local first, count, expires = now, 1, ARGV[5]
local found = redis.call('GET', KEYS[1])
if found then
  local f, n, e, v = string.match(found, '^(%S+) %S+ (%S+) (%S+) (.*)$')
  if f and tonumber(e) > tonumber(now) then
    count = tonumber(n) + 1
    if keeps then value = v end
    if tonumber(f) <= tonumber(now) then
      first = f
      if keeps then expires = e end
    end
  end
end
local line = table.concat({first, now, string.format('%d', count), expires, value}, ' ')
local left = math.ceil((tonumber(expires) - tonumber(now)) * 1000)
redis.call('SET', KEYS[1], line, 'PX', math.max(left, 1))
return line
"""
"""KEYS: the entry. ARGV: now, lifetime, value, 1 if value and expiry of an entry stay, expiry of a
new one. Returns `FIRST LAST COUNT EXPIRES VALUE`."""

COUNT = """
local result, exceeded, lines = {}, {}, {}
local now, mark, marks = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local counted = false
if ARGV[4] ~= '' then
  marks = ''
  for one in string.gmatch(redis.call('GET', KEYS[1]) or '', '%S+') do
    if string.sub(one, 1, #ARGV[4]) == ARGV[4] then
      marks = marks .. one .. ' '
      counted = counted or one == mark
    end
  end
end
for number = 1, #KEYS - 1 do
  local key, at = KEYS[number + 1], 6 + (number - 1) * 4
  local slot, seconds, amount = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local limit = tonumber(ARGV[at + 3])
  local s, latest, former = slot, 0, 0
  local found = redis.call('GET', key)
  if found then
    local fs, fl, ff = string.match(found, '^(%S+) (%S+) (%S+)$')
    fs, fl, ff = tonumber(fs), tonumber(fl), tonumber(ff)
    if fs == slot or fs == slot + 1 then
      s, latest, former = fs, fl, ff
    elseif fs == slot - 1 then
      former = fl
    end
  end
  if counted then
    amount, limit = 0, nil
  end
  latest = latest + amount
  lines[key] = string.format('%d %.17g %.17g', s, latest, former)
  local passed = math.min(math.max(now / seconds - s, 0), 1)
  if limit and latest + former * (1 - passed) > limit then
    exceeded[#exceeded + 1] = number - 1
  end
end
if #exceeded == 0 and not counted then
  for number = 1, #KEYS - 1 do
    local seconds = tonumber(ARGV[7 + (number - 1) * 4])
    redis.call('SET', KEYS[number + 1], lines[KEYS[number + 1]], 'EX', 2 * seconds)
  end
  if mark ~= '' then
    redis.call('SET', KEYS[1], marks .. mark, 'EX', ARGV[5])
  end
end
for number = 1, #KEYS - 1 do
  result[number] = lines[KEYS[number + 1]]
end
return {result, exceeded}
"""
"""`Window.plus` for each key. KEYS: the marks of a place (see `once`), then the counts, each once.
ARGV: now; the mark, `` for none; the marks before it, with a blank behind each; with what marks of
the question begin, `` where it is put for the first time; seconds for which marks are kept; then
for each count slot, seconds, amount, limit (`none` for none). Where the mark is there nothing is
written, and no amount added. Returns lines `SLOT LATEST FORMER`, with the amounts, and
the numbers of those that had no room: then nothing was written."""
