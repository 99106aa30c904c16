// SPDX-License-Identifier: Apache-2.0
package isthmus.demos;

/** One HTTP client. Each call has a connection of its own, so that nothing but the look-up decides where it goes. */
public interface Caller {
    String VERSION_HEADER = "version";
    int OK = 200;

    /** What a GET of the URL with this `version` header answers; anything but a body of a 200 is an exception. */
    String get(String url, String version) throws Exception;

    /** The body, if the status says that it is one. */
    static String checked(int status, String body) {
        if (status != OK) {
            throw new IllegalStateException("status " + status + ": " + body);
        }
        return body;
    }
}
