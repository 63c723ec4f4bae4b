package dev.usher.spring;

import dev.usher.RateLimitedLog;
import dev.usher.UserUnavailableException;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.slf4j.LoggerFactory;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.web.bind.annotation.ControllerAdvice;
import org.springframework.web.bind.annotation.ExceptionHandler;

/** Answers 503 if a user that a controller asks for is unavailable. The application's own handlers come first. */
@ControllerAdvice
@Order(Ordered.LOWEST_PRECEDENCE)
final class UnavailableUserAdvice {

    private final RateLimitedLog log = new RateLimitedLog(LoggerFactory.getLogger(UnavailableUserAdvice.class));

    @ExceptionHandler
    void handle(UserUnavailableException e, HttpServletResponse response) throws IOException {
        log.warn("Answered 503: {}", e.getMessage());
        Refusal.UNAVAILABLE.send(response);
    }
}
