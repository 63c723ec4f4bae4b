package dev.usher.testkit;

/** The operating system that the embedded servers run on. */
final class OperatingSystem {

    private OperatingSystem() {}

    /**
     * Makes sure that there are signals and a shell, without which a server cannot be ended with its JVM.
     *
     * @param server what is to be started, for the message
     * @throws IllegalStateException on Windows
     */
    static void requireUnix(String server) {
        requireUnix(server, System.getProperty("os.name"));
    }

    /** Whether each address of 127.0.0.0/8 can be used without being set up, as on Linux. */
    static boolean hasManyLoopbackAddresses() {
        return System.getProperty("os.name").startsWith("Linux");
    }

    static void requireUnix(String server, String name) {
        if (name.startsWith("Windows")) {
            throw new IllegalStateException("the embedded " + server + " runs on Linux and macOS, but this is " + name
                    + ": use a server of your own, or the Windows Subsystem for Linux");
        }
    }
}
