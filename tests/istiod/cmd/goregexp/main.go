// SPDX-License-Identifier: Apache-2.0

// Command goregexp says what Go's regexp makes of patterns: the engine by which istiod accepts them. Each line of stdin is
// {"pattern": "...", "texts": ["BASE64", ...]}; each line of stdout is {"error": "..."} or {"matches": [true, ...]}, a match
// being one of the whole text, as in Envoy.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"
	"regexp"
)

type question struct {
	Pattern string   `json:"pattern"`
	Texts   [][]byte `json:"texts"`
}

type answer struct {
	Error   string `json:"error,omitempty"`
	Matches []bool `json:"matches"`
}

func ask(q *question) answer {
	pattern, err := regexp.Compile(q.Pattern)
	if err != nil {
		return answer{Error: err.Error()}
	}
	pattern.Longest() // so the whole text is found where it matches at all
	out := answer{Matches: make([]bool, 0, len(q.Texts))}
	for _, text := range q.Texts {
		at := pattern.FindIndex(text)
		out.Matches = append(out.Matches, at != nil && at[0] == 0 && at[1] == len(text))
	}
	return out
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var q question
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			log.Fatalf("goregexp: %v", err)
		}
		if err := out.Encode(ask(&q)); err != nil {
			log.Fatalf("goregexp: %v", err)
		}
	}
	if err := in.Err(); err != nil {
		log.Fatalf("goregexp: %v", err)
	}
}
