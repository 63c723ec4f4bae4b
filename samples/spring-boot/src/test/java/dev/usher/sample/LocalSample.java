package dev.usher.sample;

/** The sample with members, on its own servers, which end with it: {@code mvn -Psample …}, see the guide. */
public final class LocalSample {

    private LocalSample() {}

    public static void main(String[] args) {
        SampleApplication.main(LocalServers.start().arguments(args));
    }
}
