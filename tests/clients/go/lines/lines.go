// SPDX-License-Identifier: Apache-2.0

// Package lines is how a test talks with an application: commands come on its standard input, one a line, and each is answered
// by a line on its standard output, "answer" and JSON.
package lines

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

var output sync.Mutex // a line is one piece, whoever writes it

// Say writes a line.
func Say(words ...any) {
	output.Lock()
	defer output.Unlock()
	fmt.Println(words...)
}

// JSON gives an error as {"error": TEXT}.
func JSON(value any, err error) string {
	if err != nil {
		value = map[string]string{"error": err.Error()}
	}
	text, err := json.Marshal(value)
	if err != nil {
		return strconv.Quote(err.Error())
	}
	return string(text)
}

// Done is the answer to what has no result.
func Done(err error) (any, error) { return "ok", err }

// Serve answers until standard input ends.
func Serve(answer func(words []string) (any, error)) {
	Say("started")
	said := bufio.NewScanner(os.Stdin)
	for said.Scan() {
		Say("answer", JSON(answer(strings.Fields(said.Text()))))
	}
}
