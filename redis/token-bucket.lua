-- token-bucket.lua - token-bucket and leaky-bucket, which admit alike: src/algo/token_bucket.h.
--
-- State: [1] the time at which the bucket is full again, in whole microseconds, and [2] a fraction
-- over the rate's denominator. Value: UNTIL, where there is no fraction, else UNTIL PART. A cost is
-- the time that it takes to come back: `whole` and `part`; whole < 0: more than the bucket holds.
--
-- A key expires at the first whole second that is not before UNTIL, so that it need not be told
-- each time that UNTIL moves (quick.lua). Where the time was supplied that does not hold, and the
-- value is UNTIL PART always.
local bucket = {}

function bucket.limit(L)
    L.depth, L.depth_part, L.horizon, L.denominator = word(), word(), word(), word()
end

function bucket.read(S, text)
    local ends, part = number(text), 0
    if not ends then
        local a, b = match(text, '^(%d+) (%d+)$')
        ends, part = a and number(a), b and number(b)
        if not ends or not part or part > 4294967295 then
            return false
        end
    end
    S[1], S[2] = ends, part
    return not stale(S.key, ends)
end

-- What the key owes at `now`; and whether the clock rule had to mend it.
local function debt(L, S)
    local whole, part = S[1] - now, S[2]
    if part >= L.denominator then
        whole, part = whole + 1, 0
    end
    if whole < 0 then
        return 0, 0, false
    end
    if whole > L.horizon then
        return L.depth, L.depth_part, true
    end
    return whole, part, false
end

function bucket.step(L, S, whole, part, verb)
    if whole < 0 then
        return false
    end
    local owed, owed_part, clamped = debt(L, S)
    whole, part = whole + owed, part + owed_part
    if part >= L.denominator then
        whole, part = whole + 1, part - L.denominator
    end
    local allowed = whole < L.depth or (whole == L.depth and part <= L.depth_part)
    if allowed and verb == CHECK then
        S[1], S[2], S.dirty = now + whole, part, true
    elseif clamped and verb ~= PEEK then
        S[1], S[2], S.dirty = now + owed, owed_part, true
    end
    return allowed
end

function bucket.refund(L, S, whole, part)
    local owed, owed_part = debt(L, S)
    if (whole == 0 and part == 0) or (owed == 0 and owed_part == 0) then
        return
    end
    owed, owed_part = owed - whole, owed_part - part
    if owed_part < 0 then
        owed, owed_part = owed - 1, owed_part + L.denominator
    end
    if owed < 0 then
        owed, owed_part = 0, 0
    end
    S[1], S[2], S.dirty = now + owed, owed_part, true
end

function bucket.write(S)
    local ends = S[2] > 0 and S[1] + 1 or S[1]
    if S[2] > 0 or supplied then
        save(S.key, format(D2, S[1], S[2]), ends)
    elseif ends > now then
        save(S.key, format(D, S[1]), ends + -ends % 1000000)
    else
        call('DEL', S.key)
    end
end

algorithms[0], algorithms[1], algorithm = bucket, bucket, bucket
