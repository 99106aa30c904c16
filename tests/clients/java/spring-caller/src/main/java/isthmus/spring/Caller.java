// SPDX-License-Identifier: Apache-2.0
package isthmus.spring;

import java.util.function.Supplier;

/** A way to call others. */
public interface Caller {
    /** What calls a URL whose host is a name of the registry, and gives address and port of who has answered. */
    Supplier<String> to(String url);
}
