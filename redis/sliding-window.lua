-- sliding-window.lua - the two-counter estimate: src/algo/sliding_window.c.
--
-- State: [1] the end of the window after the current one, [2] what was admitted in the previous
-- window, [3] and in the current one. Value: END PREVIOUS CURRENT. A cost over the count is -1.
local sliding = {}

function sliding.limit(L)
    L.ceiling, L.slack, L.period = word(), word(), word()
    L.window = (now - fmod(now, L.period)) / L.period
end

function sliding.read(S, text)
    local a, b, c = match(text, '^(%d+) (%d+) (%d+)$')
    local ends, previous, current = a and number(a), b and number(b), c and number(c)
    if not ends or not previous or not current or previous > 2097151 or current > 2097151 or
        previous + current == 0 then
        return false
    end
    S[1], S[2], S[3] = ends, previous, current
    return not stale(S.key, ends)
end

-- Times are kept as in a table, in units of 1024 us, rounded up.
local function coarse(time)
    return ceil(time / 1024)
end

-- The number of the window that the state calls current; nil where it was written under another
-- period.
local function window_of(L, ends)
    local whole = coarse(ends) * 1024
    local last = (whole - fmod(whole, L.period)) / L.period
    if coarse(last * L.period) * 1024 ~= whole then
        return nil
    end
    return last - 2
end

-- What the state amounts to at `now`: the current window, both counts, the time to decide at,
-- whether the clock rule had to mend it.
local function sliding_at(L, S)
    local window, previous, current = L.window, min(S[2], L.ceiling), min(S[3], L.ceiling)
    if (S[2] == 0 and S[3] == 0) or S[1] <= now then
        return window, 0, 0, now, false
    end
    local stored = window_of(L, S[1])
    if not stored then
        return window, 0, min(previous + current, L.ceiling), now, true
    end
    if stored == window then
        return window, previous, current, now, false
    end
    if stored == window - 1 then
        return window, current, 0, now, false
    end
    if stored < window then
        return window, 0, 0, now, false
    end
    if stored == window + 1 and stored * L.period - now <= L.slack then
        return stored, previous, current, stored * L.period, false
    end
    return window, previous, current, now, true
end

-- ceil(left * 2^20 / period): by 8, 8 and 4 bits, as the product may be over 2^53.
local function weight(left, period)
    if left == period then
        return 1048576
    end
    local result, rest = 0, left
    for _, scale in ipairs({256, 256, 16}) do
        local product = rest * scale
        rest = fmod(product, period)
        result = result * scale + (product - rest) / period
    end
    return rest > 0 and result + 1 or result
end

local function keep(L, S, window, previous, current)
    if previous == 0 and current == 0 then
        S[1], S[2], S[3] = 0, 0, 0
    else
        S[1], S[2], S[3] = coarse((window + 2) * L.period) * 1024, previous, current
    end
    S.dirty, S.period = true, L.period
end

function sliding.step(L, S, cost, _, verb)
    if cost < 0 then
        return false
    end
    local window, previous, current, time, clamped = sliding_at(L, S)
    local weighed = previous * weight(L.period - (time - window * L.period), L.period)
    local left = L.ceiling * 1048576 - weighed
    local room = (left - fmod(left, 1048576)) / 1048576 - current
    local allowed = cost <= room
    if allowed and verb == CHECK then
        keep(L, S, window, previous, current + cost)
    elseif clamped and verb ~= PEEK then
        keep(L, S, window, previous, current)
    end
    return allowed
end

function sliding.refund(L, S, cost)
    local window, previous, current = sliding_at(L, S)
    if cost == 0 or (previous == 0 and current == 0) then
        return
    end
    local from_current = min(cost, current)
    keep(L, S, window, previous - min(cost - from_current, previous), current - from_current)
end

-- Without a current count the previous one means nothing once the current window is over.
function sliding.write(S)
    if S[2] == 0 and S[3] == 0 then
        call('DEL', S.key)
    else
        local ends = S[3] > 0 and S[1] or S[1] - S.period
        save(S.key, format(D3, S[1], S[2], S[3]), ends)
    end
end

algorithms[4], algorithm = sliding, sliding
