// The opponent in Go: golang.org/x/time/rate behind the usual keyed map, a mutex and a map from key
// to *rate.Limiter.
//
// It answers the commands of ../bench.c. Kind to it: the map is made with its room, the collector
// rests once the keys are in (nothing here makes garbage after that), and looking a key up makes no
// string of it.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/time/rate"
)

const keyLen = 16

// Requests for one `now`, as BENCH_TURN.
const turn = 1024

type keyed struct {
	mutex    sync.Mutex
	limiters map[string]*rate.Limiter
	limit    rate.Limit
	burst    int
}

func newKeyed(limit rate.Limit, burst, keys int) *keyed {
	return &keyed{limiters: make(map[string]*rate.Limiter, keys), limit: limit, burst: burst}
}

func (k *keyed) limiter(key []byte) *rate.Limiter {
	k.mutex.Lock()
	limiter, ok := k.limiters[string(key)]
	if !ok {
		limiter = rate.NewLimiter(k.limit, k.burst)
		k.limiters[string(key)] = limiter
	}
	k.mutex.Unlock()
	return limiter
}

type load struct {
	keys   []byte
	at     int
	stride int
	count  int
	start  int64
	clock  bool
}

// run does one thread's load; the answer is how many were admitted.
func (k *keyed) run(l load) int {
	allowed := 0
	at := l.at
	now := l.start
	for left := l.count; left > 0; now += turn {
		n := min(left, turn)
		left -= n
		supplied := time.UnixMicro(now)
		for ; n > 0; n-- {
			limiter := k.limiter(l.keys[at : at+keyLen])
			if l.clock && limiter.Allow() || !l.clock && limiter.AllowN(supplied, 1) {
				allowed++
			}
			at += l.stride
		}
	}
	return allowed
}

func die(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, "bench/go: "+format+"\n", arguments...)
	os.Exit(2)
}

func residentBytes() int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		die("%v", err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		die("%v", err)
	}
	return pages * os.Getpagesize()
}

var limiters map[string]*keyed

func fill(keys []byte, step int) {
	before := residentBytes()
	count := len(keys) / keyLen
	limiters = map[string]*keyed{
		"open":   newKeyed(1e6, 1e8, 16),
		"closed": newKeyed(rate.Every(time.Hour), 1, 16),
		"keyed":  newKeyed(rate.Limit(1000.0/60), 1000, count),
	}
	at := 0
	for i := range count {
		limiters["keyed"].run(load{keys: keys, at: at * keyLen, count: 1, start: int64(i)})
		at = (at + step) % count
	}
	runtime.GC()
	debug.SetGCPercent(-1)
	fmt.Printf("{\"bytes\": %d}\n", residentBytes()-before)
}

func run(keys []byte, words []string) {
	numbers := make([]int64, 0, 4)
	for _, word := range words[5:] {
		number, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			die("%v", err)
		}
		numbers = append(numbers, number)
	}
	which, first, threads, count := words[4], int(numbers[0]), int(numbers[1]), int(numbers[2])
	k := limiters[words[2]]
	var ready atomic.Int64
	var done sync.WaitGroup
	starts := make([]time.Time, threads)
	ends := make([]time.Time, threads)
	allowed := make([]int, threads)
	for t := range threads {
		l := load{keys: keys, count: count, start: numbers[3], clock: words[3] == "clock"}
		switch which {
		case "same":
			l.at = first * keyLen
		case "own":
			l.at = (first + t) * keyLen
		case "all":
			l.at = (first + t*count) * keyLen
			l.stride = keyLen
		default:
			die("which keys are '%s'?", which)
		}
		done.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			ready.Add(1)
			for ready.Load() < int64(threads) {
			}
			starts[t] = time.Now()
			allowed[t] = k.run(l)
			ends[t] = time.Now()
		})
	}
	done.Wait()
	start, end, total := starts[0], ends[0], 0
	for t := range threads {
		if starts[t].Before(start) {
			start = starts[t]
		}
		if ends[t].After(end) {
			end = ends[t]
		}
		total += allowed[t]
	}
	ns := float64(end.Sub(start).Nanoseconds()) / float64(count*threads)
	fmt.Printf("{\"ns\": %.3f, \"allowed\": %d}\n", ns, total)
}

// version prints what this is, for the table.
func version() {
	module := "?"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dependency := range info.Deps {
			if dependency.Path == "golang.org/x/time" {
				module = dependency.Version
			}
		}
	}
	fmt.Printf("golang.org/x/time %s, %s\n", module, runtime.Version())
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "version" {
		version()
		return
	}
	if len(os.Args) != 4 || os.Args[1] != "serve" {
		die("usage: bench serve FILE STEP, or bench version")
	}
	step, err := strconv.Atoi(os.Args[3])
	if err != nil {
		die("%v", err)
	}
	file, err := os.Open(os.Args[2])
	if err != nil {
		die("%v", err)
	}
	info, err := file.Stat()
	if err != nil {
		die("%v", err)
	}
	keys, err := syscall.Mmap(int(file.Fd()), 0, int(info.Size()), syscall.PROT_READ,
		syscall.MAP_PRIVATE|syscall.MAP_POPULATE)
	if err != nil {
		die("%v", err)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) == 2 && words[0] == "fill":
			fill(keys, step)
		case len(words) == 9 && words[0] == "run":
			run(keys, words)
		default:
			die("what is meant by: %s", lines.Text())
		}
	}
}
