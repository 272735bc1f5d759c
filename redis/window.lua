-- window.lua - fixed-window and calendar-window: src/algo/window.c.
--
-- State: [1] the end of the window, [2] how much of it is taken; 0: there is none. Value: END
-- COUNT. A cost over the count is -1.
local window = {}

-- The end of the window of the calendar that holds `time`; nil where that is not among `bounds`.
local function calendar_end(bounds, time)
    if time >= bounds[1] then
        for i = 2, #bounds do
            if bounds[i] > time then
                return bounds[i]
            end
        end
    end
    return nil
end

-- ends: of a window opened now; latest: no window that a clock read a little late has met ends
-- later.
--
-- period: above 0 of a fixed-window; below 0 the length, with its sign changed, of windows that are
-- counted from 1970 on, of which the slack spans one at most; 0: a calendar's, and `bounds` follow.
function window.limit(L)
    local slack, period
    L.ceiling, slack, period = word(), word(), word()
    if period > 0 then
        L.ends, L.latest = now + period, now + period + slack
        return
    elseif period < 0 then
        local ends = now - fmod(now, period) - period
        L.ends, L.latest = ends, ends
        if ends <= now + slack and ends <= LAST_TIME then
            L.latest = ends - period
        end
        return
    end
    local bounds = {}
    for i = 1, word() do
        bounds[i] = word()
    end
    L.ends = calendar_end(bounds, now)
    L.latest = calendar_end(bounds, min(now + slack, LAST_TIME))
    outside = outside or not L.ends or not L.latest
end

function window.read(S, text)
    local a, b = match(text, '^(%d+) (%d+)$')
    local ends, taken = a and number(a), b and number(b)
    if not ends or not taken or taken < 1 or taken > 4294967295 then
        return false
    end
    S[1], S[2] = ends, taken
    return not stale(S.key, ends)
end

local function window_at(L, S)
    local ends, taken = S[1], S[2]
    if taken == 0 or ends <= now then
        return L.ends, 0, false
    end
    taken = min(taken, L.ceiling)
    if ends > L.ends and ends > L.latest then
        return L.ends, taken, true
    end
    return ends, taken, false
end

function window.step(L, S, cost, _, verb)
    if cost < 0 then
        return false
    end
    local ends, taken, clamped = window_at(L, S)
    local allowed = cost <= L.ceiling - taken
    if allowed and verb == CHECK then
        S[1], S[2], S.dirty = ends, taken + cost, true
    elseif clamped and verb ~= PEEK then
        S[1], S[2], S.dirty = ends, taken, true
    end
    return allowed
end

function window.refund(L, S, cost)
    local ends, taken = window_at(L, S)
    if taken == 0 or cost == 0 then
        return
    end
    if cost >= taken then
        S[1], S[2], S.dirty = 0, 0, true
    else
        S[1], S[2], S.dirty = ends, taken - cost, true
    end
end

function window.write(S)
    if S[2] == 0 then
        call('DEL', S.key)
    else
        save(S.key, format(D2, S[1], S[2]), S[1])
    end
end

algorithms[2], algorithms[3], algorithm = window, window, window
