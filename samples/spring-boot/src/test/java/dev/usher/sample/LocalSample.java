package dev.usher.sample;

/** The sample with members in it, on servers of its own, which end with it: {@code mvn -Psample …}, see the guide. */
public final class LocalSample {

    private LocalSample() {}

    public static void main(String[] args) {
        SampleApplication.main(LocalServers.start().arguments(args));
    }
}
