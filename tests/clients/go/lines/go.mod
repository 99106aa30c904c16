// SPDX-License-Identifier: Apache-2.0

module isthmus.example/tests/clients/lines

go 1.26.0
