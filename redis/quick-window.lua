-- quick-window.lua - the commonest call by the shortest way: checks of one cost, by the server's
-- time, under fixed-window or windows that are counted from 1970 on, without a block.
--
-- It decides as window.lua does, and leaves to that what is not of the commonest form: an END that
-- is over, or later than that of a window opened now; what is not written as we write it.
-- Going first, it saves a lone check from making the functions that it does not need.
-- docs/decisions/0007 has the figures.
local cost = ARGV[8]
if not supplied and ARGV[2] == '0' and ARGV[3] == '0' and ARGV[7] ~= '0' and cost ~= '-1' and
    not ARGV[10] then
    local ceiling, period, whole = ARGV[5] + 0, ARGV[7] + 0, cost + 0
    local opened = period > 0 and now + period or now - fmod(now, period) - period
    local KEYS, fresh, ends_text, expiry = KEYS, nil, nil, nil
    found = call('MGET', unpack(KEYS))
    for i = 1, #KEYS do
        local text = found[i]
        if not text then
            fresh = fresh or format(D, opened)
            if ends_text ~= fresh then
                ends_text, expiry = fresh, format(D, ceil(opened / 1000))
            end
            -- MGET answers nothing for another type, too.
            if not call('SET', KEYS[i], fresh .. ' ' .. cost, 'PXAT', expiry, 'NX') then
                found[i] = -1
            end
        else
            local a, b = match(text, '^([1-9]%d+) ([1-9]%d*)$')
            local ends = a and a + 0
            if not ends or ends <= now or ends > opened then
                left = left or {}
                left[i] = true
            elseif b + whole <= ceiling then
                if a ~= ends_text then
                    ends_text, expiry = a, format(D, ceil(ends / 1000))
                end
                call('SET', KEYS[i], a .. ' ' .. format(D, b + whole), 'PXAT', expiry)
            end
        end
    end
    if not left then
        found[#KEYS + 1] = now
        return found
    end
end
