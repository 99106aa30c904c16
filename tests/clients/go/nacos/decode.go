// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"isthmus.example/tests/clients/lines"
)

var decoders = map[string]func(body string) ([]entry, bool){"1": decodeFirst, "2": decodeSecond}

func decodeFile(decode func(body string) ([]entry, bool), file string) (any, error) {
	body, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	entries, ok := decode(string(body))
	if !ok {
		return nil, errors.New("the client cannot read it")
	}
	return entries, nil
}

// decodeList prints what the client's decoder has understood of the body in each file of the list.
func decodeList(kind, list string) error {
	decode, ok := decoders[kind]
	if !ok {
		return fmt.Errorf("no decoder %q", kind)
	}
	files, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	for _, file := range strings.Split(strings.TrimSuffix(string(files), "\n"), "\n") {
		fmt.Fprintln(out, lines.JSON(decodeFile(decode, file)))
	}
	return out.Flush()
}
