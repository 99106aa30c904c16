// SPDX-License-Identifier: Apache-2.0
package isthmus.nacos;

import com.alibaba.nacos.api.naming.listener.Event;
import com.alibaba.nacos.api.naming.listener.EventListener;
import com.alibaba.nacos.api.naming.listener.NamingEvent;

/** What a listener has been told, as text: how often, when last (ms since 1970), of which service, and the instances. */
final class Subscription implements EventListener {
    private int count;
    private long last;
    private String service = "";
    private String instances = "";

    @Override
    public synchronized void onEvent(Event event) {
        NamingEvent told = (NamingEvent) event;
        count++;
        last = System.currentTimeMillis();
        service = told.getServiceName();
        instances = Text.of(told.getInstances());
    }

    @Override
    public synchronized String toString() {
        return count + " " + last + " " + Text.encode(service) + " " + instances;
    }
}
