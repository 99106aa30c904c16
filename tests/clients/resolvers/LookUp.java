// SPDX-License-Identifier: Apache-2.0

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.stream.Collectors;

/** InetAddress: the same lines as lookup.c. It always asks for both families. */
public final class LookUp {
    private LookUp() {}

    private static String lookUp(String name) {
        try {
            return Arrays.stream(InetAddress.getAllByName(name)).map(InetAddress::getHostAddress)
                    .collect(Collectors.joining(" "));
        } catch (UnknownHostException e) {
            return "! " + e.getMessage();
        }
    }

    public static void main(String[] args) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ");
            StringBuilder out = new StringBuilder();
            for (int i = 0; i < Integer.parseInt(words[2]); i++) {
                out.append(lookUp(words[0])).append('\n');
            }
            System.out.print(out);
            System.out.flush();
        }
    }
}
