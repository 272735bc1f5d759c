// A peer in Go: github.com/go-redis/redis_rate, the usual GCRA script, as its README shows it.
//
//	bench-redis-go PORT              reads commands, one a line, and answers each with one of JSON:
//
//	once LIMIT KEY                   asks once; LIMIT is open or tight, as redis/measure.py has them
//	run LANES KEYS MS                asks for MS milliseconds from LANES goroutines, one by one each
//
// Kind to it: the pool has a connection for each goroutine.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
)

const lanesMax = 16

// As LOAD_STEP.
const step = 61803

var limits = map[string]redis_rate.Limit{
	"open":  {Rate: 1000, Burst: 1000, Period: 24 * time.Hour},
	"tight": {Rate: 1, Burst: 1, Period: time.Hour},
}

func die(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, "bench/redis/go: "+format+"\n", arguments...)
	os.Exit(2)
}

func ask(limiter *redis_rate.Limiter, limit, key string) int {
	result, err := limiter.Allow(context.Background(), key, limits[limit])
	if err != nil {
		die("%v", err)
	}
	return result.Allowed
}

type answer struct {
	count    int
	admitted int
	ns       []int64
}

// lane asks about one key after another until the time is over.
func lane(limiter *redis_rate.Limiter, at, keys int, end time.Time) answer {
	var a answer
	for before := time.Now(); before.Before(end); {
		a.admitted += ask(limiter, "open", fmt.Sprintf("user:%011d", at))
		after := time.Now()
		a.ns = append(a.ns, after.Sub(before).Nanoseconds())
		a.count++
		at = (at + step) % keys
		before = after
	}
	return a
}

var next int

func run(limiter *redis_rate.Limiter, lanes, keys int, span time.Duration) {
	answers := make([]answer, lanes)
	var done sync.WaitGroup
	start := time.Now()
	for i := range lanes {
		at := (next + i*keys/lanes) % keys
		done.Go(func() {
			answers[i] = lane(limiter, at, keys, start.Add(span))
		})
	}
	done.Wait()
	elapsed := time.Since(start)
	var sum answer
	for _, a := range answers {
		sum.count += a.count
		sum.admitted += a.admitted
		sum.ns = append(sum.ns, a.ns...)
	}
	next = (next + sum.count*step) % keys
	slices.Sort(sum.ns)
	fmt.Printf("{\"count\": %d, \"admitted\": %d, \"ns\": %d, \"p50\": %d, \"p99\": %d}\n",
		sum.count, sum.admitted, elapsed.Nanoseconds(), sum.ns[(len(sum.ns)-1)*50/100],
		sum.ns[(len(sum.ns)-1)*99/100])
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		die("%v", err)
	}
	return n
}

func main() {
	if len(os.Args) != 2 {
		die("usage: bench-redis-go PORT")
	}
	client := redis.NewClient(&redis.Options{
		Addr: "127.0.0.1:" + os.Args[1], PoolSize: lanesMax, MinIdleConns: lanesMax,
	})
	limiter := redis_rate.NewLimiter(client)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) == 3 && words[0] == "once":
			fmt.Printf("{\"admitted\": %d}\n", ask(limiter, words[1], words[2]))
		case len(words) == 4 && words[0] == "run":
			run(limiter, number(words[1]), number(words[2]),
				time.Duration(number(words[3]))*time.Millisecond)
		default:
			die("what is meant by: %s", lines.Text())
		}
	}
}
