import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The page is served under a policy that allows its own files only: nothing
// may be inlined.
export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "dist/console",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: false,
    target: "es2022",
    chunkSizeWarningLimit: 1000,
  },
  server: {
    host: "127.0.0.1",
    proxy: { "/v1": "http://127.0.0.1:7070" },
  },
});
