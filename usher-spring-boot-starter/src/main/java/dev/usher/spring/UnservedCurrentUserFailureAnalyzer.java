package dev.usher.spring;

import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;

/** Reports which parameters would be filled from a request, and how to get the current user there. */
final class UnservedCurrentUserFailureAnalyzer extends AbstractFailureAnalyzer<UnservedCurrentUserException> {

    @Override
    protected FailureAnalysis analyze(Throwable rootFailure, UnservedCurrentUserException cause) {
        return new FailureAnalysis(
                "There are parameters with @CurrentUser that usher does not fill. They would be filled from the request: "
                        + cause.getMessage() + ".",
                "Remove @CurrentUser from these parameters. It works in controllers of Spring MVC only. Elsewhere, take the id from the"
                        + " authentication, such as the Principal of a message, and ask UserStatusCache and UserProfileCache with it.",
                cause);
    }
}
