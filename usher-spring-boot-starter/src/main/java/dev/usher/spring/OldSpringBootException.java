package dev.usher.spring;

/** The application runs on a Spring Boot that the starter cannot work with. */
final class OldSpringBootException extends IllegalStateException {

    private static final long serialVersionUID = 1L;

    private final String version;

    OldSpringBootException(String version) {
        super("usher-spring-boot-starter needs Spring Boot " + RequiredSpringBoot.FIRST
                + ".0 or newer, but this is Spring Boot " + version);
        this.version = version;
    }

    String version() {
        return version;
    }
}
