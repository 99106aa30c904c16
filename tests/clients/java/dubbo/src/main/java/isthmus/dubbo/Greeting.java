// SPDX-License-Identifier: Apache-2.0
package isthmus.dubbo;

/** What the provider offers. */
public interface Greeting {
    /** Who has answered. */
    String greet(String name);
}
