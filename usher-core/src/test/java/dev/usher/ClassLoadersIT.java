package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.departing.DepartingApplication;
import java.io.IOException;
import java.io.InputStream;
import java.lang.ref.WeakReference;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** usher, in the class loader above those of several applications, holds nothing of an application that has ended. */
class ClassLoadersIT extends NodesOnRedis {

    private static final String APPLICATION = DepartingApplication.class.getName();

    /** Defines the classes of the application anew, and leaves the rest to the loader of the tests. */
    private static final class ApplicationLoader extends ClassLoader {

        private ApplicationLoader() {
            super(ClassLoadersIT.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            synchronized (getClassLoadingLock(name)) {
                Class<?> known = findLoadedClass(name);
                if (known != null || !name.startsWith(APPLICATION)) {
                    return known != null ? known : super.loadClass(name, resolve);
                }
                byte[] bytes = bytesOf(name);
                return defineClass(name, bytes, 0, bytes.length);
            }
        }

        private byte[] bytesOf(String name) throws ClassNotFoundException {
            try (@Nullable InputStream file = getParent().getResourceAsStream(name.replace('.', '/') + ".class")) {
                if (file == null) {
                    throw new ClassNotFoundException(name);
                }
                return file.readAllBytes();
            } catch (IOException e) {
                throw new ClassNotFoundException(name, e);
            }
        }
    }

    @Test
    void ofTenApplicationsThatHaveEndedNoClassLoaderStays() throws Exception {
        // Netty holds the stack trace of its first use for ever: one for each JVM, not one for each application.
        new DepartingApplication(uri()).run();
        List<WeakReference<ClassLoader>> loaders = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            loaders.add(startAndClose());
        }

        await().atMost(Duration.ofSeconds(20)).untilAsserted(() -> {
            System.gc();
            assertThat(loaders).filteredOn(loader -> loader.get() != null).isEmpty();
        });
    }

    /** On a thread of its own, so that no frame of this one holds anything. */
    private static WeakReference<ClassLoader> startAndClose() throws Exception {
        CompletableFuture<WeakReference<ClassLoader>> ended = new CompletableFuture<>();
        Thread main = new Thread(() -> {
            try {
                ClassLoader loader = new ApplicationLoader();
                Thread.currentThread().setContextClassLoader(loader);
                Class<?> type = loader.loadClass(APPLICATION);
                assertThat(type.getClassLoader()).isSameAs(loader);
                ((Runnable) type.getConstructor(String.class).newInstance(uri())).run();
                ended.complete(new WeakReference<>(loader));
            } catch (Throwable e) {
                ended.completeExceptionally(e);
            }
        });
        main.start();
        WeakReference<ClassLoader> loader = ended.get(30, TimeUnit.SECONDS);
        main.join();
        return loader;
    }
}
