package dev.usher.spring;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.lang.invoke.MethodHandles;
import java.net.URI;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import javax.tools.FileObject;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.JavaFileObject.Kind;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.springframework.aot.generate.ClassNameGenerator;
import org.springframework.aot.generate.DefaultGenerationContext;
import org.springframework.aot.generate.GeneratedFiles;
import org.springframework.aot.generate.InMemoryGeneratedFiles;
import org.springframework.aot.hint.RuntimeHints;
import org.springframework.context.ApplicationContextInitializer;
import org.springframework.context.aot.ApplicationContextAotGenerator;
import org.springframework.context.support.GenericApplicationContext;
import org.springframework.core.io.InputStreamSource;
import org.springframework.javapoet.ClassName;

/**
 * Processes an application as {@code spring-boot:process-aot} does: generates the sources, compiles them in memory, and defines
 * the classes in the packages whose package-private members they use.
 */
final class AheadOfTime {

    private AheadOfTime() {}

    /**
     * Processes an application.
     *
     * @param context with the application's configurations, not refreshed
     * @param name the name of the application, unique in this JVM
     * @return registers the beans of the application, in place of its configurations
     */
    static ApplicationContextInitializer<GenericApplicationContext> process(
            GenericApplicationContext context, String name) {
        InMemoryGeneratedFiles files = new InMemoryGeneratedFiles();
        ClassName application = ClassName.get(AheadOfTime.class.getPackageName(), name);
        DefaultGenerationContext generation =
                new DefaultGenerationContext(new ClassNameGenerator(application, name), files);
        ClassName initializer = new ApplicationContextAotGenerator().processAheadOfTime(context, generation);
        generation.writeGeneratedContent();
        Map<String, byte[]> classes = compile(files.getGeneratedFiles(GeneratedFiles.Kind.SOURCE));
        files.getGeneratedFiles(GeneratedFiles.Kind.CLASS)
                .forEach((path, bytes) -> classes.put(path.replace(".class", "").replace('/', '.'), bytesOf(bytes)));
        return define(classes, initializer.reflectionName());
    }

    /** What a native image of an application keeps, according to its beans. */
    static RuntimeHints hintsOf(GenericApplicationContext context) {
        DefaultGenerationContext generation = new DefaultGenerationContext(
                new ClassNameGenerator(ClassName.get(AheadOfTime.class.getPackageName(), "Hints")),
                new InMemoryGeneratedFiles());
        new ApplicationContextAotGenerator().processAheadOfTime(context, generation);
        return generation.getRuntimeHints();
    }

    private static Map<String, byte[]> compile(Map<String, InputStreamSource> sources) {
        JavaCompiler compiler = requireNonNull(ToolProvider.getSystemJavaCompiler());
        Map<String, byte[]> classes = new LinkedHashMap<>();
        List<JavaFileObject> units = new ArrayList<>();
        sources.forEach((path, source) ->
                units.add(new SimpleJavaFileObject(URI.create("mem:///" + path), Kind.SOURCE) {
                    @Override
                    public CharSequence getCharContent(boolean ignoreEncodingErrors) {
                        return new String(bytesOf(source), UTF_8);
                    }
                }));
        StringWriter messages = new StringWriter();
        JavaFileManager manager = new ForwardingJavaFileManager<>(compiler.getStandardFileManager(null, null, UTF_8)) {
            @Override
            public JavaFileObject getJavaFileForOutput(Location location, String type, Kind kind, FileObject sibling) {
                return new SimpleJavaFileObject(URI.create("mem:///" + type.replace('.', '/')), kind) {
                    @Override
                    public OutputStream openOutputStream() {
                        return new ByteArrayOutputStream() {
                            @Override
                            public void close() {
                                classes.put(type, toByteArray());
                            }
                        };
                    }
                };
            }
        };
        List<String> options =
                List.of("-classpath", System.getProperty("java.class.path"), "-proc:none", "-nowarn", "-parameters");
        if (!compiler.getTask(messages, manager, null, options, null, units).call()) {
            throw new IllegalStateException("the generated sources cannot be compiled: " + messages);
        }
        return classes;
    }

    @SuppressWarnings("unchecked")
    private static ApplicationContextInitializer<GenericApplicationContext> define(
            Map<String, byte[]> classes, String initializer) {
        try {
            Class<?> found = null;
            for (Map.Entry<String, byte[]> type : classes.entrySet()) {
                Class<?> defined = MethodHandles.privateLookupIn(neighbourOf(type.getKey()), MethodHandles.lookup())
                        .defineClass(type.getValue());
                if (type.getKey().equals(initializer)) {
                    found = defined;
                }
            }
            var constructor = Objects.requireNonNull(found).getDeclaredConstructor();
            constructor.setAccessible(true);
            return (ApplicationContextInitializer<GenericApplicationContext>) constructor.newInstance();
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The class that a generated class belongs to, found by its name. */
    private static Class<?> neighbourOf(String generated) throws ClassNotFoundException {
        String name = generated.substring(0, generated.indexOf("__"));
        try {
            return Class.forName(name);
        } catch (ClassNotFoundException e) {
            // Named after the application, or after another class in the package of the tests.
            if (name.startsWith(AheadOfTime.class.getPackageName() + ".")) {
                return AheadOfTime.class;
            }
            throw e;
        }
    }

    private static byte[] bytesOf(InputStreamSource source) {
        try (var stream = source.getInputStream()) {
            return stream.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
