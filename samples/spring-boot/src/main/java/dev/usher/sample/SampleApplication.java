package dev.usher.sample;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/**
 * A small community: members see each other, rename themselves and earn badges; administrators ban members.
 *
 * <p>Profiles and statuses come from the table that {@code usher.jdbc.table} names. The starter's gate refuses every request of
 * a banned member.
 */
@SpringBootApplication
public class SampleApplication {

    /** Starts the application, on the servers of its settings. */
    public static void main(String[] args) {
        SpringApplication.run(SampleApplication.class, args);
    }
}
