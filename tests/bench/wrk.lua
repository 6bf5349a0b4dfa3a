-- SPDX-License-Identifier: Apache-2.0
-- What wrk sends, by the environment, and what it tells: one line of JSON.
local env = os.getenv

wrk.method = env("BENCH_METHOD")
if env("BENCH_BODY") then
    local file = assert(io.open(env("BENCH_BODY"), "rb"))
    wrk.body = file:read("*a")
    file:close()
    wrk.headers["Content-Type"] = "application/json"
end
if env("BENCH_AUTHORIZATION") then
    wrk.headers["Authorization"] = env("BENCH_AUTHORIZATION")
end

if env("BENCH_PAUSE_MS") then
    local pause = tonumber(env("BENCH_PAUSE_MS"))
    function delay()
        return pause
    end
end

local threads = {}
n_refused = 0

function setup(thread)
    table.insert(threads, thread)
end

-- Only where the status does not tell: reading every answer in Lua costs wrk some of its own speed.
if env("BENCH_REFUSED_BODY") then
    function response(status, headers, body)
        if body == env("BENCH_REFUSED_BODY") then
            n_refused = n_refused + 1
        end
    end
end

function done(summary, latency, requests)
    local errors, refused = summary.errors, summary.errors.status
    for _, thread in ipairs(threads) do
        refused = refused + thread:get("n_refused")
    end
    io.write(string.format(
        '{"requests": %d, "refused": %d, "lost": %d, "us": %d, "p50_us": %d, "p99_us": %d, "p99.9_us": %d}\n',
        summary.requests, refused, errors.connect + errors.read + errors.write + errors.timeout, summary.duration,
        latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
