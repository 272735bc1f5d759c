-- sliding-log.lua - exactly `count` in any stretch of `period`: src/algo/sliding_log.c.
--
-- A key is a list of entries in order of time, the oldest at the left: STAMP UNITS CUMULATIVE. The
-- last is the sum of all units up to this entry, also of those that have left the list, so that
-- what has expired, and the unit that is in the way of a cost, is found by halving: no call takes
-- as many commands as there are entries.
--
-- State: cum, the last entry's CUMULATIVE; base, that before the first; newest, the last stamp;
-- tail, the last entry's units. All 0: there is no list. For each step, C is told what it found:
-- units, newest, how many of the units have expired, and the stamp of the unit in the way.
--
-- Everything is searched for before anything is changed. An entry that is none of ours makes the
-- state bad, and from then on nothing is changed. A cost over the count is -1.
local log = {list = true}

function log.limit(L)
    L.ceiling, L.slack, L.period = word(), word(), word()
end

local function entry(S, index)
    local text = try('LINDEX', S.key, index)
    if not text then
        return nil
    end
    if type(text) == 'table' then
        text = find(text.err, 'WRONGTYPE') and '' or call('LINDEX', S.key, index)
    end
    local a, b, c = match(text, '^(%d+) (%d+) (%d+)$')
    local stamp, units, cum = a and number(a), b and number(b), c and number(c)
    if not stamp or not units or not cum or units < 1 or cum < units then
        S.bad = true
        return 0, 1, 1
    end
    return stamp, units, cum
end

function log.open(S)
    S.cum, S.base, S.newest, S.tail = 0, 0, 0, 0
    local stamp, units, cum = entry(S, -1)
    if not stamp then
        return
    end
    S.newest, S.tail, S.cum = stamp, units, cum
    local oldest, first_units, first_cum = entry(S, 0)
    S.base = first_cum - first_units
    if S.base > cum - units or oldest > stamp then
        S.bad = true
    end
end

-- The first entry whose stamp (which = 1) or cum (which = 3) is over `bound`; there is one.
local function search(S, which, bound)
    local low, high = 0, call('LLEN', S.key) - 1
    while low < high do
        local middle = (low + high - fmod(low + high, 2)) / 2
        if select(which, entry(S, middle)) > bound then
            high = middle
        else
            low = middle + 1
        end
    end
    return low, entry(S, low)
end

-- What the list amounts to at `now`: the units that are held, the time to decide at, whether the
-- clock rule has to mend it, how many units have expired.
local function scan(L, S)
    local units, time, newest, clamped = S.cum - S.base, now, S.newest, false
    if units == 0 then
        return 0, now, false, 0
    end
    if newest - now > L.slack then
        newest, clamped = now, true
    elseif newest > now then
        time = newest
    end
    local edge = time - L.period
    if newest <= edge then
        return 0, time, clamped, units
    end
    local expired = 0
    if entry(S, 0) <= edge then
        local _, _, first_units, first_cum = search(S, 1, edge)
        expired = first_cum - first_units - S.base
    end
    return min(units - expired, L.ceiling), time, clamped, expired
end

local function text_of(stamp, units, cum)
    return format(D3, stamp, units, cum)
end

-- Leaves of the list the newest `held` units, less `back` of the newest; gives those later than
-- `time` that stamp where `clamped`; appends `add`, stamped `time`.
local function change(L, S, held, time, clamped, back, add)
    local base, cum = S.cum - held, S.cum - back
    local first, head_stamp, head_units, head_cum = 0, 0, 0, base
    local last, stamp, before = -1, S.newest, S.cum - S.tail
    if cum > base then
        if base > S.base then
            first, head_stamp, head_units, head_cum = search(S, 3, base)
        end
        if back > 0 then
            local units, through
            last, stamp, units, through = search(S, 3, cum - 1)
            before = through - units
        end
        if clamped and stamp > time then
            local ahead, _, units, through = search(S, 1, time)
            last, stamp, before = max(ahead, first), time, through - units
        end
    end
    if S.bad then
        return
    end
    before = max(before, base)
    S.period, S.dirty = L.period, true
    if cum == base then
        call('DEL', S.key)
        S.cum, S.base, S.newest, S.tail = 0, 0, 0, 0
        stamp, cum, before = -1, 0, 0
    else
        if first > 0 or last ~= -1 then
            call('LTRIM', S.key, first, last)
        end
        if last ~= -1 then
            call('LSET', S.key, -1, text_of(stamp, cum - before, cum))
        end
        if first ~= last and head_cum - head_units < base then
            call('LSET', S.key, 0, text_of(head_stamp, head_cum - base, head_cum))
        end
        S.cum, S.base, S.newest, S.tail = cum, base, stamp, cum - before
    end
    if add > 0 then
        if stamp == time then
            call('LSET', S.key, -1, text_of(time, S.tail + add, cum + add))
            S.tail = S.tail + add
        else
            call('RPUSH', S.key, text_of(time, add, cum + add))
            S.tail = add
        end
        S.cum, S.newest = cum + add, time
    end
end

local function tell(S, units, newest, expired, stamp)
    if S.bad then
        units = -1
    end
    local n = #tape
    tape[n + 1], tape[n + 2], tape[n + 3], tape[n + 4] = units, newest, expired, stamp
end

function log.step(L, S, cost, _, verb)
    local units, newest = S.cum - S.base, S.newest
    local held, time, clamped, expired = scan(L, S)
    local allowed, way = cost >= 0 and cost <= L.ceiling - held, 0
    if cost >= 0 and not allowed then
        local _, stamp = search(S, 3, S.base + units + cost - L.ceiling - 1)
        way = stamp
    end
    if S.bad then
        allowed = false
    elseif allowed and verb == CHECK then
        change(L, S, held, time, clamped, 0, cost)
    elseif clamped and cost >= 0 and verb ~= PEEK then
        change(L, S, held, time, true, 0, 0)
    end
    tell(S, units, newest, expired, way)
    return allowed and not S.bad
end

function log.refund(L, S, cost)
    local held, time, clamped = scan(L, S)
    local back = min(cost, held)
    if back > 0 and not S.bad then
        change(L, S, held, time, clamped, back, 0)
    end
end

function log.write(S)
    if S.cum == S.base then
        return
    end
    local ends = S.newest + S.period
    if supplied then
        call('PEXPIRE', S.key, format(D, max(ceil((ends - now) / 1000), 0) + MARGIN / 1000))
    else
        call('PEXPIREAT', S.key, format(D, ceil(ends / 1000)))
    end
end

algorithms[5], algorithm = log, log
