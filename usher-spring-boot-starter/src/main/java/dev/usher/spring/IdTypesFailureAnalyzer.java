package dev.usher.spring;

import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;

/** Says which types of ids there are, and who says so. */
final class IdTypesFailureAnalyzer extends AbstractFailureAnalyzer<IdTypesException> {

    @Override
    protected FailureAnalysis analyze(Throwable rootFailure, IdTypesException cause) {
        return new FailureAnalysis(cause.getMessage() + ".", cause.action(), cause);
    }
}
