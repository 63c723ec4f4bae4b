package dev.usher.spring;

import org.springframework.core.env.Environment;

/**
 * The threads of the web server: a caller that waits for a load holds one of them.
 *
 * @param max how many there are
 */
record WebThreads(int max) {

    /** Of Tomcat and of Jetty. */
    private static final int DEFAULT = 200;

    /** A quarter for each facet of the specification leaves half of them to the users that memory knows. */
    private static final int SHARE = 4;

    /** As many as the settings of Spring Boot say. */
    static WebThreads of(Environment environment) {
        for (String server : new String[] {"tomcat", "jetty"}) {
            Integer max = environment.getProperty("server." + server + ".threads.max", Integer.class);
            if (max != null) {
                return new WebThreads(max);
            }
        }
        return new WebThreads(DEFAULT);
    }

    /** How many callers of a facet may wait, unless a setting says otherwise. */
    int maxWaitingLoads() {
        return Math.max(1, max / SHARE);
    }
}
