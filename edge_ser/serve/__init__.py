"""One machine's recognizer for many clients: HTTP and WebSocket by Starlette and uvicorn."""
