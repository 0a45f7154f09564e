/*
 * Apache Curator's side of tests that others lead: it reads a request a line from standard input and answers with a
 * line. A request is words with blanks between them; the verbs are below.
 *
 *   java CuratorPartner host:port session-ms
 */
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.queue.DistributedDelayQueue;
import org.apache.curator.framework.recipes.queue.DistributedIdQueue;
import org.apache.curator.framework.recipes.queue.DistributedPriorityQueue;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryNTimes;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.UriSpec;

public final class CuratorPartner {
    private static CuratorFramework client;
    private static ServiceDiscovery<String> discovery;

    private static final class Text implements QueueSerializer<String> {
        @Override
        public byte[] serialize(String item) {
            return item.getBytes(StandardCharsets.UTF_8);
        }

        @Override
        public String deserialize(byte[] bytes) {
            return new String(bytes, StandardCharsets.UTF_8);
        }
    }

    private static final class Taker implements QueueConsumer<String> {
        final BlockingQueue<String> taken = new LinkedBlockingQueue<>();

        @Override
        public void consumeMessage(String message) {
            taken.add(message);
        }

        @Override
        public void stateChanged(CuratorFramework f, ConnectionState state) {
        }
    }

    private static QueueBuilder<String> queue(Taker taker, String path, String lock) {
        QueueBuilder<String> b = QueueBuilder.builder(client, taker, new Text(), path);
        return lock == null ? b : b.lockPath(lock);
    }

    private static String put(String kind, String path, String item, String more) throws Exception {
        if (kind.equals("simple")) {
            new SimpleDistributedQueue(client, path).offer(item.getBytes(StandardCharsets.UTF_8));
        } else if (kind.equals("id")) {
            try (DistributedIdQueue<String> q = queue(null, path, null).buildIdQueue()) {
                q.start();
                q.put(item, more);
                q.flushPuts(60, TimeUnit.SECONDS);
            }
        } else if (kind.equals("priority")) {
            try (DistributedPriorityQueue<String> q = queue(null, path, null).buildPriorityQueue(0)) {
                q.start();
                q.put(item, Integer.parseInt(more));
                q.flushPuts(60, TimeUnit.SECONDS);
            }
        } else if (kind.equals("delay")) {
            try (DistributedDelayQueue<String> q = queue(null, path, null).buildDelayQueue()) {
                q.start();
                q.put(item, System.currentTimeMillis() + Long.parseLong(more));
                q.flushPuts(60, TimeUnit.SECONDS);
            }
        } else {
            try (DistributedQueue<String> q = queue(null, path, null).buildQueue()) {
                q.start();
                q.put(item);
                q.flushPuts(60, TimeUnit.SECONDS);
            }
        }
        return "ok";
    }

    /* The next `count` items, joined by commas. */
    private static String take(String kind, String path, int count, String lock) throws Exception {
        List<String> items = new ArrayList<>();
        Taker taker = new Taker();
        if (kind.equals("simple")) {
            SimpleDistributedQueue q = new SimpleDistributedQueue(client, path);
            for (int i = 0; i < count; i++) {
                items.add(new String(q.poll(60, TimeUnit.SECONDS), StandardCharsets.UTF_8));
            }
            return String.join(",", items);
        }
        int before = client.getChildren().forPath(path).size();
        java.io.Closeable open;
        if (kind.equals("id")) {
            DistributedIdQueue<String> q = queue(taker, path, lock).buildIdQueue();
            q.start();
            open = q;
        } else if (kind.equals("priority")) {
            DistributedPriorityQueue<String> q = queue(taker, path, lock).buildPriorityQueue(0);
            q.start();
            open = q;
        } else if (kind.equals("delay")) {
            DistributedDelayQueue<String> q = queue(taker, path, lock).buildDelayQueue();
            q.start();
            open = q;
        } else {
            DistributedQueue<String> q = queue(taker, path, lock).buildQueue();
            q.start();
            open = q;
        }
        for (int i = 0; i < count; i++) {
            items.add(taker.taken.poll(60, TimeUnit.SECONDS));
        }
        /* An item that is held is deleted after the consumer has had it. */
        for (int i = 0; i < 2400 && client.getChildren().forPath(path).size() > before - count; i++) {
            Thread.sleep(25);
        }
        open.close();
        return String.join(",", items);
    }

    private static String add(String path, int times) throws Exception {
        DistributedAtomicLong n = new DistributedAtomicLong(client, path, new RetryNTimes(200, 5));
        for (int i = 0; i < times; i++) {
            AtomicValue<Long> v = n.increment();
            if (!v.succeeded()) {
                return "failed";
            }
        }
        return "ok";
    }

    private static String register(String base, String name, String id, int port) throws Exception {
        discovery = ServiceDiscoveryBuilder.builder(String.class).client(client).basePath(base).build();
        discovery.start();
        discovery.registerService(ServiceInstance.<String>builder().name(name).id(id).address("java").port(port)
                .payload("of \"java\"").uriSpec(new UriSpec("{scheme}://{address}:{port}")).build());
        return "ok";
    }

    private static String discover(String base, String name) throws Exception {
        List<String> found = new ArrayList<>();
        try (ServiceDiscovery<String> d =
                ServiceDiscoveryBuilder.builder(String.class).client(client).basePath(base).build()) {
            d.start();
            for (ServiceInstance<String> i : d.queryForInstances(name)) {
                found.add(i.getId() + "=" + i.buildUriSpec() + "=" + i.getPayload());
            }
        }
        Collections.sort(found);
        return String.join(",", found);
    }

    private static String cache(String path) throws Exception {
        List<String> found = new ArrayList<>();
        try (CuratorCache c = CuratorCache.build(client, path)) {
            c.start();
            for (int i = 0; i < 2400 && !c.get(path + "/last").isPresent(); i++) {
                Thread.sleep(25);
            }
            c.stream().forEach(n -> found.add(n.getPath() + "=" + new String(n.getData(), StandardCharsets.UTF_8)));
        }
        Collections.sort(found);
        return String.join(",", found);
    }

    private static String answer(String[] w) throws Exception {
        switch (w[0]) {
            case "put":
                return put(w[1], w[2], w[3], w.length > 4 ? w[4] : null);
            case "take":
                return take(w[1], w[2], Integer.parseInt(w[3]), w.length > 4 ? w[4] : null);
            case "add":
                return add(w[1], Integer.parseInt(w[2]));
            case "register":
                return register(w[1], w[2], w[3], Integer.parseInt(w[4]));
            case "unregister":
                discovery.close();
                return "ok";
            case "discover":
                return discover(w[1], w[2]);
            case "create":
                client.create().creatingParentsIfNeeded().forPath(w[1], w[2].getBytes(StandardCharsets.UTF_8));
                return "ok";
            case "set":
                client.setData().forPath(w[1], w[2].getBytes(StandardCharsets.UTF_8));
                return "ok";
            case "lock":
                new InterProcessMutex(client, w[1]).acquire();
                return "ok";
            case "lead":
                LeaderLatch latch = new LeaderLatch(client, w[1], "java");
                latch.start();
                latch.await();
                return "ok";
            case "cache":
                return cache(w[1]);
            default:
                return "unknown verb " + w[0];
        }
    }

    public static void main(String[] args) throws Exception {
        int sessionMs = Integer.parseInt(args[1]);
        client = CuratorFrameworkFactory.newClient(args[0], sessionMs, 60000, new RetryNTimes(300, 200));
        client.start();
        client.blockUntilConnected();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String answer;
            try {
                answer = answer(line.split(" "));
            } catch (Exception e) {
                answer = "failed: " + e;
            }
            System.out.println("= " + answer);
            System.out.flush();
        }
        client.close();
    }
}
