package dev.usher.sample;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/**
 * A small community: its members see each other, rename themselves, earn badges, and are banned by administrators.
 *
 * <p>Who a member is comes from the table that {@code usher.jdbc.table} names. A banned one is refused on every request, by
 * the starter's gate.
 */
@SpringBootApplication
public class SampleApplication {

    /** Starts it, on the servers that the settings name. */
    public static void main(String[] args) {
        SpringApplication.run(SampleApplication.class, args);
    }
}
