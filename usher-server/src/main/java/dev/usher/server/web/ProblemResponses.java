package dev.usher.server.web;

import dev.usher.server.problem.Problem;
import dev.usher.server.problem.ProblemType;
import jakarta.servlet.RequestDispatcher;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.springframework.boot.webmvc.error.ErrorController;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatusCode;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.json.JsonMapper;

/** Problems as responses: of controllers, of filters, and of the container's error page. */
@RestController
class ProblemResponses implements ErrorController {

    private static final String SOON = "1";

    private final JsonMapper mapper;

    ProblemResponses(JsonMapper mapper) {
        this.mapper = mapper;
    }

    static ResponseEntity<Object> of(Problem problem, HttpHeaders headers) {
        ResponseEntity.BodyBuilder response = ResponseEntity.status(problem.status())
                .headers(headers)
                .contentType(MediaType.APPLICATION_PROBLEM_JSON);
        if (problem.status() == 503) {
            response.header(HttpHeaders.RETRY_AFTER, SOON);
        }
        return response.body(problem);
    }

    /** Sends a problem from a filter. */
    void send(HttpServletResponse response, ProblemType type) throws IOException {
        if (response.isCommitted()) {
            return;
        }
        response.resetBuffer();
        response.setStatus(type.status().value());
        response.setContentType(MediaType.APPLICATION_PROBLEM_JSON_VALUE);
        if (type == ProblemType.UNAUTHENTICATED) {
            response.setHeader(HttpHeaders.WWW_AUTHENTICATE, "Bearer");
        }
        if (type == ProblemType.UNAVAILABLE) {
            response.setHeader(HttpHeaders.RETRY_AFTER, SOON);
        }
        response.getOutputStream().write(mapper.writeValueAsBytes(Problem.of(type)));
    }

    /** Answers what the container reports when neither a filter nor a controller has answered. */
    @RequestMapping("${spring.web.error.path:/error}")
    ResponseEntity<Object> errorPage(HttpServletRequest request) {
        Integer status = (Integer) request.getAttribute(RequestDispatcher.ERROR_STATUS_CODE);
        // Without a status, a caller has asked for this very address.
        return of(Problem.of(HttpStatusCode.valueOf(status == null ? 404 : status)), HttpHeaders.EMPTY);
    }
}
