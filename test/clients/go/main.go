// main - asks a server what test/system/resp_clients.py expects, by go-redis: PORT TOKEN PROTOCOL. Prints what was
// answered as JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"

	"github.com/redis/go-redis/v9"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	ctx := context.Background()
	protocol, err := strconv.Atoi(os.Args[3])
	must(err)
	client := redis.NewClient(&redis.Options{
		Addr: "127.0.0.1:" + os.Args[1], Password: os.Args[2], Protocol: protocol, ClientName: "go"})
	defer client.Close()
	said := map[string]interface{}{}
	said["ping"], err = client.Ping(ctx).Result()
	must(err)
	key := "go" + os.Args[3]
	throttled := []interface{}{}
	for i := 0; i < 4; i++ {
		answer, err := client.Do(ctx, "CL.THROTTLE", key, 2, 1, 86400).Result()
		must(err)
		throttled = append(throttled, answer)
	}
	said["throttle"] = throttled
	check, err := client.Do(ctx, "WEIR.CHECK", "ATTRS", 1, "ip", key).Result()
	must(err)
	if fields, is := check.(map[interface{}]interface{}); is {
		named := map[string]interface{}{}
		for name, value := range fields {
			named[name.(string)] = value
		}
		said["check"] = named
	} else {
		said["check"] = check
	}
	pipe := client.Pipeline()
	asked := []*redis.Cmd{}
	for i := 0; i < 100; i++ {
		asked = append(asked, pipe.Do(ctx, "THROTTLE", key+"p", 50, 1, 86400))
	}
	_, err = pipe.Exec(ctx)
	must(err)
	allowed := 0
	for _, cmd := range asked {
		answer, err := cmd.Slice()
		must(err)
		allowed += int(answer[0].(int64))
	}
	said["allowed"] = allowed
	_, err = client.Do(ctx, "CL.THROTTLE", key, "x", 1, 1).Result()
	said["error"] = err.Error()
	must(json.NewEncoder(os.Stdout).Encode(said))
}
