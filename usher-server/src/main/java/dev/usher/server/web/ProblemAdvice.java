package dev.usher.server.web;

import dev.usher.RateLimitedLog;
import dev.usher.UserUnavailableException;
import dev.usher.server.problem.Problem;
import dev.usher.server.problem.ProblemException;
import dev.usher.server.problem.ProblemType;
import dev.usher.server.user.BusyException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.regex.Pattern;
import org.apache.tomcat.util.http.InvalidParameterException;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;
import org.springframework.beans.TypeMismatchException;
import org.springframework.context.MessageSourceResolvable;
import org.springframework.dao.DataAccessResourceFailureException;
import org.springframework.dao.TransientDataAccessException;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatusCode;
import org.springframework.http.ResponseEntity;
import org.springframework.http.converter.HttpMessageNotReadableException;
import org.springframework.transaction.TransactionException;
import org.springframework.validation.FieldError;
import org.springframework.validation.method.ParameterValidationResult;
import org.springframework.web.bind.MethodArgumentNotValidException;
import org.springframework.web.bind.MissingServletRequestParameterException;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.RestControllerAdvice;
import org.springframework.web.context.request.WebRequest;
import org.springframework.web.method.annotation.HandlerMethodValidationException;
import org.springframework.web.method.annotation.MethodArgumentTypeMismatchException;
import org.springframework.web.servlet.mvc.method.annotation.ResponseEntityExceptionHandler;
import org.springframework.web.util.DisconnectedClientHelper;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.databind.DatabindException;
import tools.jackson.databind.exc.UnrecognizedPropertyException;

/** Turns exceptions of controllers, and of what stands before them, into a {@link Problem}. */
@RestControllerAdvice
final class ProblemAdvice extends ResponseEntityExceptionHandler {

    private static final Pattern CAPITAL = Pattern.compile("(?=[A-Z])");
    private static final Pattern UNUSUAL = Pattern.compile("[^A-Za-z0-9_.-]");
    private static final int MAX_NAME_LENGTH = 64;

    private final RateLimitedLog unavailableLog = newLog();
    private final DatabaseFailures databaseFailures = new DatabaseFailures();

    /** By the class of the exception, so that one fault does not hide another. */
    private final ConcurrentMap<Class<?>, RateLimitedLog> unexpected = new ConcurrentHashMap<>();

    @ExceptionHandler
    ResponseEntity<Object> handle(ProblemException e) {
        return ProblemResponses.of(e.problem(), e.headers());
    }

    @ExceptionHandler({BusyException.class, UserUnavailableException.class})
    ResponseEntity<Object> handleUnavailable(RuntimeException e) {
        unavailableLog.warn("Answered 503: {}", e.getMessage());
        return ProblemResponses.of(Problem.of(ProblemType.UNAVAILABLE), HttpHeaders.EMPTY);
    }

    @ExceptionHandler({
        DataAccessResourceFailureException.class,
        TransientDataAccessException.class,
        TransactionException.class
    })
    ResponseEntity<Object> handleFailureOfDatabase(RuntimeException e) {
        databaseFailures.log(e);
        return ProblemResponses.of(Problem.of(ProblemType.UNAVAILABLE), HttpHeaders.EMPTY);
    }

    /** Without the message, which quotes what the caller has sent. */
    @ExceptionHandler
    ResponseEntity<Object> handleUndecodable(InvalidParameterException e) {
        return ProblemResponses.of(Problem.of(ProblemType.MALFORMED_REQUEST), HttpHeaders.EMPTY);
    }

    @ExceptionHandler
    @Nullable ResponseEntity<Object> handleUnexpected(Exception e) {
        if (DisconnectedClientHelper.isClientDisconnectedException(e)) {
            return null; // The client is gone.
        }
        unexpectedLog(e).error("Answered 500", e);
        return ProblemResponses.of(Problem.of(ProblemType.INTERNAL_ERROR), HttpHeaders.EMPTY);
    }

    @Override
    protected ResponseEntity<Object> handleMethodArgumentNotValid(
            MethodArgumentNotValidException e, HttpHeaders headers, HttpStatusCode status, WebRequest request) {
        return invalid(headers, fields("body", e.getAllErrors()));
    }

    @Override
    protected ResponseEntity<Object> handleHandlerMethodValidationException(
            HandlerMethodValidationException e, HttpHeaders headers, HttpStatusCode status, WebRequest request) {
        List<Problem.Field> fields = new ArrayList<>();
        for (ParameterValidationResult result : e.getParameterValidationResults()) {
            String parameter = result.getMethodParameter().getParameterName();
            fields.addAll(fields(String.valueOf(parameter), result.getResolvableErrors()));
        }
        // Each element of a list may have the same fault.
        return invalid(headers, fields.stream().distinct().toList());
    }

    @Override
    protected ResponseEntity<Object> handleMissingServletRequestParameter(
            MissingServletRequestParameterException e, HttpHeaders headers, HttpStatusCode status, WebRequest request) {
        return invalid(headers, List.of(new Problem.Field(e.getParameterName(), Problem.Field.REQUIRED)));
    }

    @Override
    protected ResponseEntity<Object> handleTypeMismatch(
            TypeMismatchException e, HttpHeaders headers, HttpStatusCode status, WebRequest request) {
        String name = e instanceof MethodArgumentTypeMismatchException argument ? argument.getName() : "parameter";
        return invalid(headers, List.of(new Problem.Field(name, "cannot be read")));
    }

    @Override
    protected ResponseEntity<Object> handleHttpMessageNotReadable(
            HttpMessageNotReadableException e, HttpHeaders headers, HttpStatusCode status, WebRequest request) {
        if (e.getCause() instanceof StreamConstraintsException) {
            return ProblemResponses.of(Problem.of(ProblemType.BODY_TOO_LARGE), headers);
        }
        if (e.getCause() instanceof DatabindException json && !json.getPath().isEmpty()) {
            String name = json.getPath().get(0).getPropertyName();
            if (name != null) {
                String detail = json instanceof UnrecognizedPropertyException ? "is unknown" : "is of the wrong type";
                return invalid(headers, List.of(new Problem.Field(harmless(name), detail)));
            }
        }
        return ProblemResponses.of(Problem.of(ProblemType.MALFORMED_REQUEST), headers);
    }

    @Override
    protected ResponseEntity<Object> handleExceptionInternal(
            Exception e, @Nullable Object body, HttpHeaders headers, HttpStatusCode status, WebRequest request) {
        if (status.is5xxServerError()) {
            unexpectedLog(e).error("Answered {}", status.value(), e);
        }
        return ProblemResponses.of(Problem.of(status), headers);
    }

    private RateLimitedLog unexpectedLog(Exception e) {
        return unexpected.computeIfAbsent(e.getClass(), first -> newLog());
    }

    private static RateLimitedLog newLog() {
        return new RateLimitedLog(LoggerFactory.getLogger(ProblemAdvice.class));
    }

    private static ResponseEntity<Object> invalid(HttpHeaders headers, List<Problem.Field> fields) {
        return ProblemResponses.of(
                Problem.of(ProblemType.INVALID_FIELD, fields.toArray(Problem.Field[]::new)), headers);
    }

    private static List<Problem.Field> fields(String owner, List<? extends MessageSourceResolvable> errors) {
        return errors.stream()
                .map(error -> new Problem.Field(
                        error instanceof FieldError field ? snakeCase(field.getField()) : owner,
                        String.valueOf(error.getDefaultMessage())))
                .toList();
    }

    /** A name that the caller has chosen, without unusual characters. */
    private static String harmless(String name) {
        String start = name.length() > MAX_NAME_LENGTH ? name.substring(0, MAX_NAME_LENGTH) : name;
        return UNUSUAL.matcher(start).replaceAll("?");
    }

    private static String snakeCase(String property) {
        return CAPITAL.matcher(property).replaceAll("_").toLowerCase(Locale.ROOT);
    }
}
